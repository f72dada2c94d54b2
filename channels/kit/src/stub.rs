//! A gateway's memory, for authors who write a gateway of their own.
