//! What makes a node one of many: wake-ups that reach the users of every node, and a directory that learns of changes made
//! elsewhere. Words between nodes make both quick; the database makes them certain.

mod live;
mod room;
mod time;

pub use live::SharedLive;
pub use room::follow_room;
pub use time::DatabaseClock;
