//! L2: the log of shared frames and the cursors that read it.
