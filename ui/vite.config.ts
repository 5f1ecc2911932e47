import { svelte } from "@sveltejs/vite-plugin-svelte";
import { svelteTesting } from "@testing-library/svelte/vite";
import { defineConfig } from "vitest/config";

export default defineConfig(({ mode }) => ({
  plugins: [svelte(), svelteTesting()],
  // Relative, so that the same files work from the shell's own scheme and from any folder of a test server.
  base: "./",
  define: {
    // False in what ships: the made-up data is then not even in the bundle.
    __MOCK__: JSON.stringify(mode === "mock" || mode === "test"),
  },
  build: {
    // What the oldest WebKitGTK of Debian 12 understands.
    target: "safari16",
    outDir: mode === "mock" ? "dist-mock" : "dist",
    emptyOutDir: true,
  },
  test: {
    environment: "jsdom",
    include: ["tests/**/*.test.ts"],
    setupFiles: ["tests/setup.ts"],
    // A deadline, not a measure: machines that build beside the tests are slow.
    testTimeout: 60_000,
  },
}));
