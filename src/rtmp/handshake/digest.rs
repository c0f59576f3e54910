//! Digests and signatures: where they lie and how they are computed.
