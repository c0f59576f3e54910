//! Annex B byte streams (start codes) to access units as FLV tags.
