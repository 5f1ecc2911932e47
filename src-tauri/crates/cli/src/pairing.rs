//! Pairing on the command line: what is asked at a terminal, and what is shown.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use tributary_status::{Command, Invitation, Offer, PairingStage, PairingStatus, PeerStatus};

use crate::ask::usage;

/// Refuses to begin what could not be asked about: a person has to see the offer, or has to say yes beforehand.
pub(crate) fn can_ask(yes: bool, json: bool) -> anyhow::Result<()> {
    if yes || (!json && std::io::stdin().is_terminal()) {
        return Ok(());
    }
    Err(usage("say --yes to what will be offered, or run it in a terminal"))
}

/// Asks the person about an offer.
pub(crate) fn ask(offer: &Offer) -> anyhow::Result<Command> {
    let mut terminal = std::io::stderr();
    write!(terminal, "{}", shown(offer))?;
    let yes = said_yes("Join?")?;
    let local = offer.places.iter().any(|place| place.local);
    let local_places = yes && local && said_yes("Use its places that are folders of this machine?")?;
    Ok(Command::AnswerPairing { pairing: offer.id.clone(), yes, folder: None, local_places })
}

fn said_yes(question: &str) -> anyhow::Result<bool> {
    write!(std::io::stderr(), "{question} [y/N] ")?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "y" | "Y" | "yes"))
}

fn shown(offer: &Offer) -> String {
    let right = if offer.read_only { ", to be read only" } else { "" };
    let mut text = format!(
        "{} ({}) offers {}{right}. It would be put in {}.\n",
        offer.from.name, offer.from.account, offer.name, offer.folder
    );
    for place in &offer.places {
        let local = if place.local { " (on this machine)" } else { "" };
        text += &format!("  with {}: {}{local}\n", place.name, place.url);
    }
    text
}

/// An invitation, as text.
pub(crate) fn invitation(invitation: &Invitation) -> String {
    format!(
        "Send this link, which is good for one computer, until {}:\n  {}\nOr say this code, which is good for one try, until {}:\n  {}",
        invitation.link_expires, invitation.link, invitation.code_expires, invitation.code
    )
}

/// Who is paired and what is under way, as text.
pub(crate) fn peers(peers: &[PeerStatus], pairings: &[PairingStatus]) -> String {
    if peers.is_empty() && pairings.is_empty() {
        return "No computer is paired.".into();
    }
    let mut text = String::new();
    for peer in peers {
        let whose = if peer.own { "yours" } else { peer.peer.account.as_str() };
        let there = if peer.online { "online" } else { "off" };
        let reached = if peer.connected { "" } else { ", not yet reached both ways" };
        let by = peer.introduced_by.as_ref().map_or_else(String::new, |by| format!(", introduced by {by}"));
        let way = peer.way.as_ref().map_or_else(String::new, |way| format!(", reached {way}"));
        text += &format!("{} ({whose}): {there}{way}{reached}{by}\n  {}\n", peer.peer.name, peer.id);
        for shared in &peer.folders {
            let right = match (shared.they_only_read, shared.we_only_read) {
                (true, _) => ", which it may only read",
                (_, true) => ", which may only be read here",
                _ => "",
            };
            text += &format!("  {}{right}\n", shared.folder);
        }
    }
    for pairing in pairings {
        let how = match pairing.stage {
            PairingStage::AsksYou => " Say `trib accept` or `trib decline`.",
            _ => "",
        };
        text += &format!("{}: {}{how}\n", pairing.id, pairing.sentence);
    }
    text
}
