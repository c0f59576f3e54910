//! L2: mio mechanics shared by server and clients; knows no protocol.
