//! Opens a job's portal: canary, room, people.

use std::collections::BTreeSet;

use futures_util::StreamExt;
use ruma::OwnedUserId;

use super::canary;
use super::error::ImportError;
use super::job::Job;
use super::plan::Plan;
use super::settings::Settings;
use crate::convert::{Person, Policy};
use crate::matrix::RoomWish;
use crate::model::time::UnixMillis;
use crate::portal::{Cipher, Portal, PortalError, Portals, Provenance, RoomDifference, Roster};
use crate::store::{PortalRecord, PortalState};

/// The job's portal with its room made, its people in it, and the canary heard.
pub(super) async fn open_portal(
    job: &Job,
    portals: &Portals,
    settings: &Settings,
) -> Result<Portal, ImportError> {
    let plan = job.plan();
    let mut record = portals.store().portal(&job.record().portal)?.unwrap_or(PortalRecord {
        id: job.record().portal.clone(),
        network: plan.archive.network,
        chat: plan.archive.chat.clone(),
        room_id: None,
        state: PortalState::Creating,
    });
    portals.ensure_bot().await?;
    let roster = roster(plan, &record, portals);
    let mut ghosts = Vec::with_capacity(plan.participants.len());
    for person in roster.people() {
        let name = settings.ghost_name(&person.name, plan.archive.network);
        ghosts.push((person.ghost.clone(), name));
    }
    if record.state != PortalState::Ready {
        check_people(plan, portals, settings).await?;
        let witness = settings.witness().await?;
        if let Some((ghost, name)) = ghosts.first() {
            let oldest = UnixMillis(plan.archive.first_ms);
            let wish = settings.room_wish(portals, plan.room.kind).await?;
            canary::sing(portals, settings, &witness, &record, wish, (ghost, name), oldest).await?;
        }
        let wish = RoomWish {
            name: plan.room.name.clone(),
            portal: record.id.clone(),
            admins: plan.room.admins.clone(),
            ..settings.room_wish(portals, plan.room.kind).await?
        };
        portals.ensure_room(&mut record, &wish).await?;
    }
    let room = record.room_id.clone().ok_or(ImportError::NoRoom)?;
    let joined = portals.bot().joined_members(&room).await?;
    let absent: Vec<_> = ghosts.into_iter().filter(|(ghost, _)| !joined.contains(ghost)).collect();
    let mut admissions = futures_util::stream::iter(absent)
        .map(|(ghost, name)| {
            let (portals, room) = (portals.clone(), room.clone());
            async move { portals.admit(&room, &ghost, &name).await }
        })
        .buffer_unordered(settings.uploads_in_flight);
    while let Some(admitted) = admissions.next().await {
        admitted?;
    }
    drop(admissions);
    let cipher = portals.cipher(&room, readers(plan, portals, settings).await?).await?;
    if cipher.is_encrypted() != plan.room.kind.is_encrypted() {
        // Somebody changed the room since it was made. What the plan promised is not given up.
        let difference = match cipher {
            Cipher::Clear => RoomDifference::NotEncrypted,
            Cipher::Encrypted { .. } => RoomDifference::Encrypted,
        };
        return Err(PortalError::RoomNotAsAsked { difference }.into());
    }
    if cipher.is_encrypted() {
        // Before the first message, so that the witness's device is among those that get keys.
        let witness = settings.witness().await?;
        Box::pin(witness.account.reader(portals.machines())).await?;
        portals.machine(portals.bot().user_id()).await?;
    }
    assemble(job, portals, settings, &record, roster, cipher)
}

/// Whoever is given the keys before the first message: the bot, the witness, and everybody of
/// the plan. The same at every start, since a shorter list would begin new sessions.
async fn readers(
    plan: &Plan,
    portals: &Portals,
    settings: &Settings,
) -> Result<BTreeSet<OwnedUserId>, ImportError> {
    let mut readers: BTreeSet<OwnedUserId> =
        plan.room.admins.iter().chain(&plan.room.invite).cloned().collect();
    readers.insert(portals.bot().user_id().to_owned());
    readers.insert(settings.witness().await?.user);
    Ok(readers)
}

/// The job's portal as it is, for those who only look. Nobody is admitted, nothing is made.
///
/// # Errors
/// When it has no room, the homeserver cannot be reached, or the store fails.
pub(super) async fn known_portal(
    job: &Job,
    portals: &Portals,
    settings: &Settings,
) -> Result<Portal, ImportError> {
    let record = portals.store().portal(&job.record().portal)?.ok_or(ImportError::NoRoom)?;
    let roster = roster(job.plan(), &record, portals);
    let room = record.room_id.as_ref().ok_or(ImportError::NoRoom)?;
    let cipher = portals.cipher(room, readers(job.plan(), portals, settings).await?).await?;
    assemble(job, portals, settings, &record, roster, cipher)
}

fn assemble(
    job: &Job,
    portals: &Portals,
    settings: &Settings,
    record: &PortalRecord,
    roster: Roster,
    cipher: Cipher,
) -> Result<Portal, ImportError> {
    let plan = job.plan();
    let room = record.room_id.clone().ok_or(ImportError::NoRoom)?;
    let policy = Policy {
        language: settings.language,
        attribution: plan.messages.attribution,
        system_lines: plan.messages.system_lines,
        zone: archive_zone(plan),
        ..Policy::default()
    };
    let provenance = Provenance { job: job.id().to_owned(), archive: plan.archive.sha256 };
    Ok(Portal::new(
        portals.clone(),
        record.id.clone(),
        (room, cipher),
        roster,
        policy,
        provenance,
        plan.messages.refusals,
    ))
}

/// Whether everybody of the plan can be let in, asked before there is a room: a mistyped owner
/// would own it as soon as somebody registers that name.
async fn check_people(
    plan: &Plan,
    portals: &Portals,
    settings: &Settings,
) -> Result<(), ImportError> {
    for person in plan.room.admins.iter().chain(&plan.room.invite) {
        let user = person.to_string();
        if portals.namer().is_ours(person) {
            return Err(ImportError::Person { user, what: "is an account of passerelle itself" });
        }
        if person.server_name() == portals.namer().server
            && !settings.lookup.account_exists(person).await?
        {
            return Err(ImportError::Person { user, what: "is unknown to the homeserver" });
        }
    }
    Ok(())
}

fn archive_zone(plan: &Plan) -> jiff::tz::TimeZone {
    plan.options().map_or(jiff::tz::TimeZone::UTC, |options| options.time_zone)
}

fn roster(plan: &Plan, record: &PortalRecord, portals: &Portals) -> Roster {
    let network = plan.archive.network;
    Roster::new(plan.participants.iter().map(|one| {
        let ghost = portals.namer().ghost(network, &record.id, &one.id);
        let person = Person { ghost, name: one.name.clone(), account: one.account() };
        (one.id.clone(), person)
    }))
}
