//! What the homeserver's administrators have to set, ready to be sent to them.

use std::collections::BTreeSet;
use std::fmt::Write;

/// One setting that is not ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ask {
    /// No rate limits for the service.
    NoRateLimits,
    /// To-device messages in transactions.
    ToDevice,
    /// Device lists and key counts in transactions.
    DeviceLists,
    /// Devices without a login.
    Devices,
    /// The namespace belongs to the service alone.
    ExclusiveNamespace,
    /// The registration file as `registration generate` writes it.
    Registration,
    /// Uploads of at least this many bytes.
    UploadLimit(u64),
    /// No retention policy for imported rooms.
    NoRetention,
    /// Rooms that did not ask for encryption stay as they are.
    NoForcedEncryption,
    /// Accounts that begin with this do not expire.
    NoExpiry(String),
}

/// Where a setting stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Registration,
    Homeserver,
    Experimental,
    Modules,
}

impl Place {
    const ALL: [Self; 4] =
        [Self::Registration, Self::Homeserver, Self::Experimental, Self::Modules];

    fn file(self) -> &'static str {
        match self {
            Self::Registration => {
                "# In the registration of passerelle (`passerelle registration generate` writes it so):"
            }
            Self::Homeserver | Self::Experimental => "# In homeserver.yaml:",
            Self::Modules => {
                "# In the configuration of the account-expiry module, if there is one:"
            }
        }
    }

    fn section(self) -> Option<&'static str> {
        match self {
            Self::Experimental => Some("experimental_features:"),
            Self::Registration | Self::Homeserver | Self::Modules => None,
        }
    }
}

impl Ask {
    fn line(&self) -> (Place, String) {
        let of = |place, text: &str| (place, text.to_owned());
        match self {
            Self::NoRateLimits => of(Place::Registration, "rate_limited: false"),
            Self::ToDevice => of(Place::Experimental, "  msc2409_to_device_messages_enabled: true"),
            Self::DeviceLists => of(Place::Experimental, "  msc3202_transaction_extensions: true"),
            Self::Devices => of(Place::Registration, "io.element.msc4190: true"),
            Self::ExclusiveNamespace => {
                of(Place::Registration, "# namespaces.users: exclusive: true")
            }
            Self::Registration => of(
                Place::Registration,
                "receive_ephemeral: true\nde.sorunome.msc2409.push_ephemeral: true\norg.matrix.msc3202: true",
            ),
            Self::UploadLimit(bytes) => {
                (Place::Homeserver, format!("max_upload_size: {}M", bytes.div_ceil(1 << 20)))
            }
            Self::NoRetention => of(
                Place::Homeserver,
                "# no `retention.default_policy.max_lifetime`, or one above the age of the archives",
            ),
            Self::NoForcedEncryption => {
                of(Place::Homeserver, "encryption_enabled_by_default_for_room_type: off")
            }
            Self::NoExpiry(prefix) => {
                (Place::Modules, format!("exclude_user_id_patterns: [\"@{prefix}.*\"]"))
            }
        }
    }
}

/// All asks as one text to send on; empty when there is nothing to ask.
pub(super) fn request<'a>(asks: impl Iterator<Item = &'a Ask>) -> String {
    let lines: BTreeSet<(Place, String)> = asks.map(Ask::line).collect();
    let mut text = String::new();
    let mut file = "";
    for place in Place::ALL {
        let here: Vec<_> = lines.iter().filter(|(at, _)| *at == place).collect();
        if here.is_empty() {
            continue;
        }
        if place.file() != file {
            file = place.file();
            let _ = writeln!(text, "{file}");
        }
        for line in place.section().into_iter().chain(here.iter().map(|(_, line)| line.as_str())) {
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_of_one_file_stand_together_and_once() {
        let asks = [Ask::DeviceLists, Ask::NoRateLimits, Ask::ToDevice, Ask::ToDevice];
        assert_eq!(
            request(asks.iter()),
            "# In the registration of passerelle (`passerelle registration generate` writes it so):\n\
             rate_limited: false\n\
             # In homeserver.yaml:\nexperimental_features:\n\
             \x20 msc2409_to_device_messages_enabled: true\n\
             \x20 msc3202_transaction_extensions: true\n"
        );
        assert_eq!(request([].iter()), "");
        assert_eq!(
            request([Ask::UploadLimit((50 << 20) + 1)].iter()),
            "# In homeserver.yaml:\nmax_upload_size: 51M\n"
        );
    }
}
