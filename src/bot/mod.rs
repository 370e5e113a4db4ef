//! What a Tchap user says to the bot, and what it answers.
//!
//! A command is a message that begins with `!passerelle`. Answers are notices whose transaction
//! id comes from the command's event id, so that an event that is handled twice is answered
//! once.

mod command;

pub use command::{Bot, BotError, Hearing};
