//! TODO stub.
