//! The model: random commands against the engine, and a plain second model of states and books that says which answers are
//! possible. Most runs meet a gateway made for this, whose moods are part of the run; a few go over the whole wire.
//!
//! `PROPTEST_CASES` asks for more runs than usual, `METROPAY_MODEL_SEED` (a number) for the same ones again.

mod act;
mod auditor;
mod books;
mod consent;
mod gateway;
mod ground;
mod nodes;
mod owed;
mod random;
mod wire;
