//! MP4 files to FLV tags: the index of samples; the caller reads the bytes.
