"""What nginx's modules do, a file each under nginx's name: handlers for the table of phases."""
