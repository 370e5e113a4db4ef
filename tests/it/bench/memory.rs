//! The daemon's memory over a long import, against a homeserver that costs no time.

use super::stub::Stub;
use super::world::{Ground, wanted};
use crate::support::daemon::Installation;
use crate::support::synapse::free_port;

/// What is imported.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub messages: usize,
    pub photos: usize,
    pub photo: (u32, u32),
}

/// Peak memory of a daemon that was started, imported this, and verified it.
pub async fn peak_mib(load: &Load) -> f64 {
    let port = free_port();
    let installation = Installation::new(port);
    let stub = Stub::start(port).await;
    let admin = "@camille.roy-exemple.gouv.fr:tchap.test".to_owned();
    let mut ground = Ground::new(installation, &stub.witness, admin).await;
    let archive = ground.sample("mémoire", &wanted(load.messages, load.photos, load.photo));
    let import = ground.import(&[archive]).await.remove(0);
    let peak = ground.peak_memory_mib();
    let rate = import.messages / import.sending.as_secs_f64();
    println!(
        "memory: {} messages, {} photos: peak {peak:.1} MiB, {rate:.0} messages/s sent, {:.0?} in all",
        load.messages, load.photos, import.whole
    );
    ground.stop().await;
    peak
}
