//! Every kind of message, through ruma's types.
