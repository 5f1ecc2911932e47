// The commands of the window.
import { expect, test } from "vitest";
import { Api } from "../src/api";
import { mock } from "../src/backend/mock";
import type { Command } from "../src/generated/Command";

test("a folder whose path is not UTF-8 is named by its bytes", async () => {
  const backend = mock("working");
  const sent: Command[] = [];
  const api = new Api({
    ...backend,
    async send(command) {
      sent.push(command);
      const reply = await backend.send(command);
      const odd = reply.type === "status" ? reply.snapshot.folders[0] : undefined;
      if (odd) Object.assign(odd, { path: "/home/ann/Fotos �lt", pathBase64: "L2hvbWUvYW5uL0ZvdG9zIORsdA==" });
      return reply;
    },
  });
  const status = await api.status();
  const plain = status.ok ? status.value.folders[1]?.path : undefined;
  if (plain === undefined) throw new Error("two folders are shown");
  await api.sync("/home/ann/Fotos �lt");
  await api.sync(plain);
  await api.sync();
  expect(sent.slice(1)).toEqual(
    ["base64:L2hvbWUvYW5uL0ZvdG9zIORsdA==", plain, null].map((folder) => ({ type: "sync", folder })),
  );
});
