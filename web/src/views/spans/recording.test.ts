import assert from "node:assert/strict";
import { test } from "node:test";
import { type Recording, rowChannels } from "./recording.ts";
import { fittingDisplay, following } from "./settings.ts";

const recording: Recording = {
  stream: "eeg", kind: "eeg", rate_hz: 100, n_samples: 1000, segments: [[0, 1000, 0, 100]], raw: true, fault: "",
  channels: ["Fp1", "F7", "T3"],
  montages: { recorded: ["Fp1", "F7", "T3"], bipolar: ["Fp1-F7", "F7-T3"], average: ["Fp1", "F7", "T3"] },
};

test("an event on a channel is found in every montage that shows the channel", () => {
  assert.deepEqual(rowChannels(recording, "recorded"), [0, 1, 2]);
  assert.deepEqual(rowChannels(recording, "bipolar"), [0, 1]);
  assert.deepEqual(rowChannels(recording, "reference F7"), [0, 2]);
});

test("keys go through the choices and come back to the first", () => {
  const choices = [null, 0.3, 1];
  assert.equal(following(choices, null), 0.3);
  assert.equal(following(choices, 1), null);
  assert.equal(following(choices, 77), null, "what is none of the usual is followed by the first");
});

test("epochs fill whole pages of about half a minute", () => {
  assert.equal(fittingDisplay(100, 4, 30, true).page_s, 30);
  assert.equal(fittingDisplay(100, 4, 4, true).page_s, 32);
  assert.equal(fittingDisplay(100, 4, 60, true).page_s, 60);
  assert.equal(fittingDisplay(100, 4, 30, true).strip, false, "the night has a spectrogram of its own");
});
