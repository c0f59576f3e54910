//! Fragmented MP4: FLV tags to an initialisation segment and fragments.
