"""`upwire check`: says what is wrong with a configuration of nginx, and mends it."""
