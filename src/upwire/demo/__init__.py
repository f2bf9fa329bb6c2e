"""`upwire demo`: three pages in a browser, and the whole path of a WebSocket behind them."""
