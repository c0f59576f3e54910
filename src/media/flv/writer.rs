//! Tags to an FLV byte stream.
