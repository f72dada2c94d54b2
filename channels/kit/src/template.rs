//! The template of a new channel.
