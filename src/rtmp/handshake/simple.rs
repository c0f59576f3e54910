//! C1, C2, S1 and S2 of the simple handshake.
