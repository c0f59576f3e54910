//! 32-bit millisecond timestamps that wrap, unrolled onto one 64-bit timeline per publisher.
