//! An FLV byte stream to tags.
