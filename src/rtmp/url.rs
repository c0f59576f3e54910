//! RTMP URLs: what a person types, split into what `connect`, `publish` and `play` carry.
