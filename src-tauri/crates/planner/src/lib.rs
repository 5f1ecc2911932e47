//! What must move where, who must be told, when to try again: input to effects.
