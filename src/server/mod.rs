//! L3: the server.
