//! L3: the clients, push and pull.
