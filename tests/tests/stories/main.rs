//! The stories: what people do with the product, told end to end over HTTP.
