"""`upwire config`: writes the configuration of a site with WebSockets."""
