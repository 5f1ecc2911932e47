// One function per command. The views call these and nothing else; a failure is a value, never an exception.

import type { Backend } from "./backend";
import type { Command } from "./generated/Command";
import type { Failure } from "./generated/Failure";
import type { HeldAnswer } from "./generated/HeldAnswer";
import type { HeldDeletions } from "./generated/HeldDeletions";
import type { Invitation } from "./generated/Invitation";
import type { LoginForm } from "./generated/LoginForm";
import type { LoginReport } from "./generated/LoginReport";
import type { Offer } from "./generated/Offer";
import type { PauseLength } from "./generated/PauseLength";
import type { ProblemCode } from "./generated/ProblemCode";
import type { RemoteRow } from "./generated/RemoteRow";
import type { Reply } from "./generated/Reply";
import type { Settings } from "./generated/Settings";
import type { Snapshot } from "./generated/Snapshot";
import { t } from "./strings";

/** What came of a wish: its value, or why not. */
export type Outcome<T> = { ok: true; value: T } | { ok: false; failure: Failure };

export class Api {
  /** How commands name the folders whose path is not UTF-8, by the path that is shown. */
  private readonly names = new Map<string, string>();

  constructor(private readonly backend: Backend) {}

  async status(): Promise<Outcome<Snapshot>> {
    const told = await this.ask({ type: "status", folder: null }, (r) => (r.type === "status" ? r.snapshot : undefined));
    if (told.ok) {
      this.names.clear();
      for (const { path, pathBase64 } of told.value.folders) {
        if (pathBase64 !== undefined) this.names.set(path, `base64:${pathBase64}`);
      }
    }
    return told;
  }
  addFolder(folder: string, description: string | null = null) {
    return this.done({ type: "addFolder", folder, description });
  }
  cloneFolder(url: string, folder: string, place: string | null = null, description: string | null = null) {
    return this.done({ type: "cloneFolder", url, folder, place, description });
  }
  removeFolder(folder: string) {
    return this.done({ type: "removeFolder", folder });
  }
  addGitRemote(folder: string, name: string, url: string, contents: boolean) {
    return this.done({ type: "addGitRemote", folder, name, url, contents });
  }
  addSpecialRemote(folder: string, name: string, parameters: Record<string, string>) {
    return this.done({ type: "addSpecialRemote", folder, name, parameters });
  }
  listRemotes(folder: string): Promise<Outcome<RemoteRow[]>> {
    return this.ask({ type: "listRemotes", folder }, (r) => (r.type === "remotes" ? r.remotes : undefined));
  }
  removeRemote(folder: string, name: string) {
    return this.done({ type: "removeRemote", folder, name });
  }
  confirmPlace(folder: string, name: string) {
    return this.done({ type: "confirmPlace", folder, name });
  }
  login(form: LoginForm): Promise<Outcome<LoginReport>> {
    return this.ask({ type: "login", ...form }, (r) => (r.type === "login" ? r.report : undefined));
  }
  logout() {
    return this.done({ type: "logout" });
  }
  sync(folder: string | null = null) {
    return this.done({ type: "sync", folder });
  }
  held(folder: string): Promise<Outcome<HeldDeletions>> {
    return this.ask({ type: "held", folder, answer: null }, (r) => (r.type === "held" ? r.held : undefined));
  }
  answerHeld(folder: string, answer: HeldAnswer) {
    return this.done({ type: "held", folder, answer });
  }
  pause(folder: string | null, length: PauseLength) {
    return this.done({ type: "pause", folder, length });
  }
  resume(folder: string | null) {
    return this.done({ type: "resume", folder });
  }
  invite(folder: string, readOnly: boolean, accept: boolean): Promise<Outcome<Invitation>> {
    return this.ask({ type: "invite", folder, readOnly, accept }, (r) => (r.type === "invited" ? r.invitation : undefined));
  }
  /** Answers with the offer; what is done with it is a wish of its own. */
  join(invitation: string, from: string | null): Promise<Outcome<Offer>> {
    return this.ask({ type: "join", invitation, folder: null, from, yes: false }, (r) => (r.type === "offered" ? r.offer : undefined));
  }
  answerPairing(pairing: string, yes: boolean, folder: string | null = null, localPlaces = false) {
    return this.done({ type: "answerPairing", pairing, yes, folder, localPlaces });
  }
  cancelPairing(pairing: string) {
    return this.done({ type: "cancelPairing", pairing });
  }
  unpair(peer: string) {
    return this.done({ type: "unpair", peer });
  }
  /** A problem with nothing to do about it was read. */
  dismiss(code: ProblemCode, subject: string) {
    return this.done({ type: "dismiss", code, subject });
  }
  setSettings(settings: Settings) {
    return this.done({ type: "setSettings", settings });
  }
  doctor(): Promise<Outcome<{ lines: string[]; complete: boolean }>> {
    return this.ask({ type: "doctor" }, (r) =>
      r.type === "doctor" ? { lines: r.lines, complete: r.complete } : undefined,
    );
  }

  /** For wishes whose answer is one sentence. */
  private done(command: Command): Promise<Outcome<string>> {
    return this.ask(command, (r) => (r.type === "done" ? r.sentence : undefined));
  }

  private named(command: Command): Command {
    if (!("folder" in command) || command.folder === null) return command;
    return { ...command, folder: this.names.get(command.folder) ?? command.folder };
  }

  private async ask<T>(command: Command, pick: (reply: Reply) => T | undefined): Promise<Outcome<T>> {
    try {
      const reply = await this.backend.send(this.named(command));
      if (reply.type === "failed") return { ok: false, failure: reply.failure };
      const value = pick(reply);
      if (value !== undefined) return { ok: true, value };
      return { ok: false, failure: { code: "internal", sentence: t.unexpectedReply, hint: t.reportThis } };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { ok: false, failure: { code: "internal", sentence: t.noAnswer(reason), hint: t.startAgain } };
    }
  }
}
