// How loud a microphone is, ten times a second.

/** Tells the level of `stream`, 0 to 1, until the answer is called. */
export function meter(stream: MediaStream, tell: (level: number) => void): () => void {
  const audio = new AudioContext();
  const ear = new AnalyserNode(audio, { fftSize: 1024 });
  audio.createMediaStreamSource(stream).connect(ear);
  void audio.resume().catch(() => undefined);
  const samples = new Float32Array(ear.fftSize);
  const timer = setInterval(() => {
    ear.getFloatTimeDomainData(samples);
    tell(levelOf(samples));
  }, 100);
  return () => {
    clearInterval(timer);
    void audio.close();
  };
}

/** The loudness of samples, 0 to 1, as people hear it: -60 dB is nothing, full scale is 1. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const one of samples) sum += one * one;
  const db = 10 * Math.log10(sum / samples.length || 1e-12);
  return Math.min(1, Math.max(0, 1 + db / 60));
}
