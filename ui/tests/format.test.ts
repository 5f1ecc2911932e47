import { describe, expect, it } from "vitest";
import { ago, baseName, left, progress, shortPath, size } from "../src/format";
import { nameOf } from "../src/places";
import { Speedometer, placeOf } from "../src/speed";
import { scene } from "../src/backend/mock";

describe("the name of a transfer point", () => {
  it("is that of its drive, share or server", () => {
    expect(nameOf("/media/ann/Samsung T7/Sync.git", "drive")).toBe("Samsung-T7");
    expect(nameOf("/media/ann/stick/", "drive")).toBe("stick");
    expect(nameOf("/Sync.git", "drive")).toBe("drive");
    expect(nameOf("", "drive")).toBe("drive");
    expect(nameOf("ann@server.example:sync.git", "server")).toBe("server");
    expect(nameOf("ssh://ann@nas.local:2222/srv/sync.git", "server")).toBe("nas");
    expect(nameOf("/media/ann/- .-/x.git", "drive")).toBe("drive");
  });
});

describe("format", () => {
  it("writes sizes with two figures and the unit that fits", () => {
    expect([0, 1, 999, 1000, 999_499, 999_500, 1_900_000_000].map(size)).toEqual([
      "0 bytes", "1 byte", "999 bytes", "1.0 KB", "999 KB", "1.0 MB", "1.9 GB",
    ]);
    expect(progress(61_000_000, 84_000_000)).toBe("61 of 84 MB");
    expect(progress(900, undefined)).toBe("900 bytes");
  });

  it("writes times as people say them", () => {
    const now = Date.parse("2026-11-23T12:00:00Z");
    expect(ago("2026-11-23T11:59:50Z", now)).toBe("just now");
    expect(ago("2026-11-23T11:58:00Z", now)).toBe("2 minutes ago");
    expect(ago("2026-11-22T12:00:00Z", now)).toBe("yesterday");
    expect(ago("2026-11-23T12:05:00Z", now)).toBe("just now");
    expect(ago("nonsense", now)).toBe("nonsense");
    expect([5, 100, 7200].map(left)).toEqual(["5 s", "2 min", "2 h"]);
  });

  it("shortens only paths that are under the home folder", () => {
    expect(shortPath("/home/ann/Sync", "/home/ann")).toBe("~/Sync");
    expect(shortPath("/home/anna", "/home/ann")).toBe("/home/anna");
    expect(baseName("/home/ann/Sync/")).toBe("Sync");
    expect(baseName("/")).toBe("/");
  });

  it("measures speed from two moments of the same transfer", () => {
    const folders = scene("working").folders;
    const speedometer = new Speedometer();
    expect(speedometer.read(folders, 0)).toEqual({});
    const moving = folders[1]?.transfers[0];
    if (!moving) throw new Error("the scene moves a file");
    moving.bytesDone += 2_000_000;
    expect(speedometer.read(folders, 1000)[placeOf("/home/ann/Trip", "Archive")]).toBe(2_000_000);
  });
});
