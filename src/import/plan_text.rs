//! The plan as a file a person edits: TOML with an explanation of each decision.

use std::fmt::{self, Write};

use super::objection::EXPORTER_UNKNOWN;
use super::plan::Plan;
use super::warning::Warning;

impl Plan {
    /// The plan's file, with warnings as comments. [`Plan::parse`] reads it back to the same plan.
    pub fn to_text(&self, warnings: &[Warning]) -> String {
        let mut text = String::new();
        self.write(&mut text, warnings).expect("a String takes everything");
        text
    }

    fn write(&self, out: &mut String, warnings: &[Warning]) -> fmt::Result {
        let Self { form, seal, approval, archive, reading, room, messages, participants } = self;
        writeln!(out, "# passerelle import plan. Facts are sealed: editing them voids the plan.")?;
        writeln!(out, "# Decisions are marked DECIDE. Then: passerelle import start THIS_FILE")?;
        for warning in warnings {
            writeln!(out, "# WARNING: {warning}")?;
        }
        writeln!(out, "\nform = {form}\nseal = \"{seal}\"\n")?;
        writeln!(out, "[approval]")?;
        writeln!(
            out,
            "# DECIDE: who answers for this import (name and office); kept in the report."
        )?;
        writeln!(out, "by = {}\n", quoted(&approval.by))?;

        writeln!(out, "# What was found in the archive (facts).\n[archive]")?;
        writeln!(out, "file = {}", quoted(&archive.file))?;
        writeln!(out, "sha256 = \"{}\"", archive.sha256)?;
        writeln!(out, "network = \"{}\"", archive.network.slug())?;
        writeln!(out, "format = {}", quoted(&archive.format))?;
        writeln!(out, "chat = {}", quoted(archive.chat.as_str()))?;
        writeln!(out, "title = {}", quoted(&archive.title))?;
        writeln!(out, "messages = {}\nrecords = {}", archive.messages, archive.records)?;
        writeln!(out, "stated_exporter = {}", quoted(&archive.stated_exporter))?;
        writeln!(out, "first = {}\nfirst_ms = {}", quoted(&archive.first), archive.first_ms)?;
        writeln!(out, "last = {}", quoted(&archive.last))?;
        writeln!(out, "files = {}\nfiles_bytes = {}", archive.files, archive.files_bytes)?;
        writeln!(out, "files_too_large = {}", archive.files_too_large)?;
        writeln!(out, "files_absent = {}", archive.files_absent)?;
        writeln!(out, "\n# What could not be read, or had to be assumed, and how often (facts).")?;
        writeln!(out, "# `passerelle archive inspect` says where.\n[archive.findings]")?;
        for (kind, count) in &archive.findings {
            writeln!(out, "{} = {count}", word(kind).trim_matches('"'))?;
        }
        writeln!(out)?;

        writeln!(out, "[reading]")?;
        writeln!(out, "# DECIDE: the time zone of the phone when it made the export.")?;
        writeln!(out, "time_zone = {}", quoted(&reading.time_zone))?;
        writeln!(out, "# DECIDE: the id of the participant who made the export,")?;
        writeln!(out, "# or \"{EXPORTER_UNKNOWN}\" if nobody knows.")?;
        writeln!(out, "exporter = {}\n", quoted(&reading.exporter))?;

        writeln!(out, "[room]")?;
        writeln!(out, "# DECIDE: what the room is called.")?;
        writeln!(out, "name = {}", quoted(&room.name))?;
        writeln!(out, "# DECIDE: private_encrypted | private_encrypted_externals |")?;
        writeln!(
            out,
            "# private_unencrypted | private_unencrypted_externals. A room that is open to"
        )?;
        writeln!(
            out,
            "# externals can never be closed to them again: it takes externals_confirmed = true."
        )?;
        writeln!(out, "kind = {}", word(&room.kind))?;
        writeln!(out, "externals_confirmed = {}", room.externals_confirmed)?;
        writeln!(
            out,
            "# The room id of the space it belongs to; that space's members may come in once it"
        )?;
        writeln!(out, "# is verified. Empty for none.")?;
        writeln!(out, "space = {}", quoted(&room.space))?;
        writeln!(out, "# DECIDE: the people who own the room from the start. At least one.")?;
        writeln!(out, "admins = {}", list(&room.admins))?;
        writeln!(out, "# DECIDE: the people who are invited once the room is verified.")?;
        writeln!(out, "invite = {}\n", list(&room.invite))?;

        writeln!(out, "[messages]")?;
        writeln!(
            out,
            "# ghosts: each person has an account of the bridge. bot_with_prefix: one bot"
        )?;
        writeln!(out, "# speaks and names the author.")?;
        writeln!(out, "attribution = {}", word(&messages.attribution))?;
        writeln!(out, "# What becomes of the messenger's own lines (joins, renames).")?;
        writeln!(out, "system_lines = {}", word(&messages.system_lines))?;
        writeln!(
            out,
            "# stop: an event the homeserver refuses for good stops the job. report: it is"
        )?;
        writeln!(out, "# left out and reported.")?;
        writeln!(out, "refusals = {}\n", word(&messages.refusals))?;

        writeln!(out, "# Who is who. id, exported_name and messages are facts.")?;
        writeln!(
            out,
            "# DECIDE for each: the name shown in Tchap, the Tchap account if there is one"
        )?;
        writeln!(
            out,
            "# (it is mentioned, never spoken for), and reviewed = true once looked at."
        )?;
        for person in participants {
            writeln!(out, "\n[[participant]]")?;
            writeln!(out, "id = {}", quoted(person.id.as_str()))?;
            writeln!(out, "exported_name = {}", quoted(&person.exported_name))?;
            writeln!(out, "messages = {}", person.messages)?;
            writeln!(out, "name = {}", quoted(&person.name))?;
            writeln!(out, "account = {}", quoted(&person.account))?;
            writeln!(out, "reviewed = {}", person.reviewed)?;
        }
        Ok(())
    }
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<toml_edit::Array>().to_string()
}

/// A unit enum as its serialised word.
fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
