// Starts the window: finds who answers (the shell, or made-up data in a test build), then shows the app.

import { mount } from "svelte";
import App from "./App.svelte";
import { connect } from "./backend";
import { tellFirstPaint } from "./first-paint";
import { Live } from "./live.svelte";
import "./theme.css";

const target = document.getElementById("app");
if (!target) throw new Error("index.html has no #app");

const backend = await connect();
void tellFirstPaint(backend);
const live = new Live(backend);
mount(App, { target, props: { live } });
await live.start();
