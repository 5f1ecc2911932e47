//! A server that is no good: it loses, doubles or holds up requests in one direction between two clients.
//!
//! A proxy in front of the server could not: what passes there is encrypted, and what it lost would be asked for again
//! by the stream's own acknowledgements. So it is a module of the server, which acknowledges all of it.

use std::path::Path;

/// The module's name.
pub(super) const MODULE: &str = "stanza_faults";

/// What becomes of requests and answers on their way from the client whose address comes first in the alphabet to one
/// whose address comes after it. The other direction is left alone.
#[derive(Debug, Clone, Copy)]
pub struct StanzaFaults {
    /// What is done.
    pub fault: StanzaFault,
    /// It is done to one of so many, by lot.
    pub one_in: u32,
    /// The seed of the lots.
    pub seed: u64,
}

/// What a server does to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StanzaFault {
    /// It is lost.
    Drop,
    /// It comes twice.
    Double,
    /// It and all after it come half a second later.
    Delay,
}

/// What the module writes to the server's log, once for each fault.
pub const FAULT_LOGGED: &str = "stanza fault:";

impl StanzaFaults {
    /// Writes the module into a folder; gives the lines for the configuration.
    pub(super) fn install(&self, dir: &Path) -> String {
        std::fs::create_dir_all(dir).expect("our own folder can be written");
        std::fs::write(dir.join(format!("mod_{MODULE}.lua")), LUA).expect("our own folder can be written");
        let kind = match self.fault {
            StanzaFault::Drop => "drop",
            StanzaFault::Double => "double",
            StanzaFault::Delay => "delay",
        };
        let dir = dir.display();
        // Lua's numbers are exact up to 2^53.
        let seed = self.seed % (1 << 31);
        let one_in = self.one_in;
        format!(
            r#"plugin_paths = {{ "{dir}" }}; fault_kind = "{kind}"; fault_one_in = {one_in}; fault_seed = {seed}"#
        )
    }
}

const LUA: &str = r#"
local st = require "util.stanza";
local kind = module:get_option_string("fault_kind");
local one_in = module:get_option_number("fault_one_in");
-- Own lots: the server's other parts draw from the library's.
local state = module:get_option_number("fault_seed");
local function lot()
    state = (state * 16807 + 1) % 2147483647;
    return state % one_in == 0;
end

-- What is held up leaves in its order.
local held, held_until = {}, 0;
local now = require "util.time".now;
local function release()
    local first = table.remove(held, 1);
    prosody.core_post_stanza(first.origin, first.stanza);
end

module:hook("pre-iq/full", function (event)
    local origin, stanza = event.origin, event.stanza;
    if origin.type ~= "c2s" or not origin.full_jid or origin.full_jid >= stanza.attr.to then return; end
    local hit = lot();
    if hit then module:log("info", "stanza fault: %s %s", kind, stanza.attr.id); end
    if kind == "drop" and hit then return true; end
    if kind == "double" and hit then prosody.core_post_stanza(origin, st.clone(stanza)); end
    if kind == "delay" then
        if hit then held_until = now() + 0.5; end
        local wait = held_until - now();
        if wait > 0 or #held > 0 then
            table.insert(held, { origin = origin, stanza = stanza });
            module:add_timer(math.max(wait, 0), release);
            return true;
        end
    end
end, 1000);
"#;
