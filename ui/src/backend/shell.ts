// The shell's interface: its own commands and three events, nothing of Tauri's plug-ins.

import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import type { NumberedEvent } from "../generated/NumberedEvent";
import type { Backend, PointLook, Suggestions, ViewName } from ".";

export function shell(): Backend {
  return {
    send: (command) => invoke("command", { command }),
    listen: (heard) => listen<NumberedEvent>("engine", ({ payload }) => heard(payload)),
    onView: (asked) => listen<ViewName>("view", ({ payload }) => asked(payload)),
    onInvited: (clicked) => listen("invited", clicked),
    takeInvitation: () => invoke<string | null>("take_invitation"),
    suggestions: () => invoke<Suggestions>("suggestions"),
    chooseFolder: (start) => invoke<string | null>("choose_folder", { start }),
    chooseFile: (start) => invoke<string | null>("choose_file", { start }),
    lookAtPoint: (path, name) => invoke<PointLook>("look_at_point", { path, name }),
    openFolder: (folder) => invoke("open_folder", { folder }),
    painted: () => invoke("painted"),
    unpainted: (visible) => invoke<boolean>("unpainted", { visible }),
    close: () => invoke("close_window"),
  };
}
