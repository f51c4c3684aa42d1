//! Linking a device by the code its owner types into the phone.
//!
//! wacore 0.7.0, src/pair_code.rs: the companion wraps an ephemeral key under the code; the phone
//! answers with its own, wrapped the same way; the companion sends a bundle under the shared secret
//! that only the right code gives. A wrong code therefore shows as a bundle that does not open, and
//! that is when the phone reports it. The code itself never reaches the network.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::debug;
use wacore::pair_code::PairCodeUtils;
use wacore_binary::Node;
use wacore_libsignal::crypto::aes_256_gcm_decrypt;
use wacore_libsignal::protocol::{KeyPair, PublicKey};

use crate::account::Account;
use crate::conn::Conn;
use crate::error::SandboxError;
use crate::keys;
use crate::net::Net;
use crate::pair;
use crate::stanza::{self, Read as _, leaf, now, server, tag};

/// The book of connections that bring none.
pub(crate) const DEFAULT_BOOK: &str = "default";

/// How long the phone waits for the companion after the code was typed.
const COMPANION_ANSWER: Duration = Duration::from_secs(20);

/// A companion that shows a code for this phone.
pub(crate) struct PendingCode {
    conn: Arc<Conn>,
    reference: Vec<u8>,
    wrapped: Vec<u8>,
    since: Instant,
    attempt: Option<Attempt>,
}

/// The code was typed; the companion's bundle will tell whether it was right.
struct Attempt {
    ephemeral: KeyPair,
    companion: [u8; 32],
    outcome: oneshot::Sender<bool>,
}

impl PendingCode {
    fn is_valid(&self) -> bool {
        self.conn.is_open() && self.since.elapsed() < PairCodeUtils::code_validity()
    }
}

/// `companion_hello`: answers with the reference of this attempt.
pub(crate) fn hello(net: &Net, conn: &Arc<Conn>, request: &Node) -> Option<Node> {
    let phone = request.jid("jid")?;
    let book = conn.book.as_deref().unwrap_or(DEFAULT_BOOK);
    let account = net.account(book, phone.user_base())?;
    let reference = net.stanza_id().into_bytes();
    let wrapped = request.content_of("link_code_pairing_wrapped_companion_ephemeral_pub").to_vec();
    account.state.lock().code = Some(PendingCode {
        conn: Arc::clone(conn),
        reference: reference.clone(),
        wrapped,
        since: Instant::now(),
        attempt: None,
    });
    Some(
        tag("link_code_companion_reg")
            .attr("stage", "companion_hello")
            .children([leaf("link_code_pairing_ref", reference)])
            .build(),
    )
}

/// The owner types the code. Returns once the companion proved that it is the right one.
pub(crate) async fn enter(net: &Arc<Net>, phone: &Arc<Account>, code: &str) -> Result<(), SandboxError> {
    let code: String =
        code.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).collect();
    if !PairCodeUtils::validate_code(&code) {
        return Err(SandboxError::CodeNotValid);
    }
    let wrapped = {
        let state = phone.state.lock();
        let pending = state.code.as_ref().filter(|pending| pending.is_valid());
        pending.ok_or(SandboxError::CodeNotValid)?.wrapped.clone()
    };

    // Both directions stretch the code with PBKDF2, long enough to be felt by a runtime thread.
    let ephemeral = KeyPair::generate(&mut keys::rng());
    let public = keys::public(&ephemeral);
    let (companion, primary) = tokio::task::spawn_blocking(move || {
        let companion = PairCodeUtils::decrypt_primary_ephemeral_pub(&wrapped, &code);
        (companion, PairCodeUtils::encrypt_ephemeral_pub(&public, &code))
    })
    .await
    .map_err(|_| SandboxError::CodeNotValid)?;
    let companion = companion.map_err(|_| SandboxError::CodeNotValid)?;

    let (outcome, answered) = oneshot::channel();
    {
        let mut state = phone.state.lock();
        let pending = state.code.as_mut().filter(|pending| pending.is_valid());
        let pending = pending.ok_or(SandboxError::CodeNotValid)?;
        let hello = tag("link_code_companion_reg").attr("stage", "primary_hello").children([
            leaf("link_code_pairing_wrapped_primary_ephemeral_pub", primary.to_vec()),
            leaf("primary_identity_pub", phone.keys().identity_public().to_vec()),
            leaf("link_code_pairing_ref", pending.reference.clone()),
        ]);
        let notification = tag("notification")
            .attr("from", server())
            .attr("type", "link_code_companion_reg")
            .attr("id", net.stanza_id())
            .attr("t", now())
            .children([hello.build()]);
        pending.attempt = Some(Attempt { ephemeral, companion, outcome });
        pending.conn.send(&notification.build());
    }
    match tokio::time::timeout(COMPANION_ANSWER, answered).await {
        Ok(Ok(true)) => Ok(()),
        _ => Err(SandboxError::CodeNotValid),
    }
}

/// `companion_finish`: opens the bundle. `Some` carries what `pair-success` is made of, and the
/// caller sends it after it answered the IQ.
pub(crate) fn finish(net: &Net, conn: &Arc<Conn>, request: &Node) -> Option<Finished> {
    let phone = request.jid("jid")?;
    let book = conn.book.as_deref().unwrap_or(DEFAULT_BOOK);
    let account = net.account(book, phone.user_base())?;
    let mut state = account.state.lock();
    let pending = state.code.as_mut().filter(|pending| {
        Arc::ptr_eq(&pending.conn, conn) && pending.reference == request.content_of("link_code_pairing_ref")
    })?;
    let Attempt { ephemeral, companion, outcome } = pending.attempt.take()?;
    let identity = stanza::key(request.content_of("companion_identity_public"))?;
    let wrapped = request.content_of("link_code_pairing_wrapped_key_bundle");
    let Some(adv_secret) = adv_secret(&account, &ephemeral, &companion, &identity, wrapped) else {
        debug!("A phone was given a wrong pairing code");
        // Fails only if nobody waits any more.
        let _ = outcome.send(false);
        return None;
    };
    state.code = None;
    drop(state);
    Some(Finished { account, identity, adv_secret, outcome })
}

pub(crate) struct Finished {
    account: Arc<Account>,
    identity: [u8; 32],
    adv_secret: [u8; 32],
    outcome: oneshot::Sender<bool>,
}

impl Finished {
    pub(crate) fn link(self, net: &Arc<Net>, conn: &Arc<Conn>) {
        let linked = pair::link(net, conn, &self.account, &self.adv_secret, &self.identity);
        // Fails only if nobody waits any more.
        let _ = self.outcome.send(linked.is_ok());
    }
}

/// wacore 0.7.0, `PairCodeUtils::prepare_key_bundle`, from the other side: salt, nonce, sealed
/// identities and randomness; the secret is derived from both agreements and the randomness.
fn adv_secret(
    account: &Account,
    ephemeral: &KeyPair,
    companion: &[u8; 32],
    identity: &[u8; 32],
    wrapped: &[u8],
) -> Option<[u8; 32]> {
    let (salt, rest) = wrapped.split_at_checked(32)?;
    let (nonce, sealed) = rest.split_at_checked(12)?;
    let companion = PublicKey::from_djb_public_key_bytes(companion).ok()?;
    let shared = ephemeral.private_key.calculate_agreement(&companion).ok()?;
    let mut key = [0; 32];
    let info = b"link_code_pairing_key_bundle_encryption_key";
    wacore::crypto::hkdf_sha256_into(&shared, Some(salt), info, &mut key).ok()?;
    let mut bundle = Vec::new();
    aes_256_gcm_decrypt(&key, nonce.try_into().ok()?, b"", sealed, &mut bundle).ok()?;
    let randomness = bundle.get(64..96)?;

    let identity = PublicKey::from_djb_public_key_bytes(identity).ok()?;
    let identities = account.keys().identity.private_key().calculate_agreement(&identity).ok()?;
    let mut secret = [0; 32];
    let material = [&shared[..], &identities[..], randomness].concat();
    wacore::crypto::hkdf_sha256_into(&material, None, b"adv_secret", &mut secret).ok()?;
    Some(secret)
}
