// Where sound goes to.

/** An element's sound to an output device; to the system's own where the browser cannot choose, or the device is gone. */
export async function sendTo(player: HTMLAudioElement, device: string): Promise<void> {
  if (!('setSinkId' in player)) return;
  await player.setSinkId(device).catch(() => player.setSinkId('')).catch(() => undefined);
}

/** The devices for speaking and hearing, as the browser names them to this page. */
export async function devices(): Promise<{ inputs: MediaDeviceInfo[]; outputs: MediaDeviceInfo[] }> {
  const all = await navigator.mediaDevices.enumerateDevices().catch(() => []);
  return { inputs: all.filter((one) => one.kind === 'audioinput'), outputs: all.filter((one) => one.kind === 'audiooutput') };
}

/** Whether this browser lets a page choose where sound goes. */
export function canChooseOutput(): boolean {
  return typeof HTMLAudioElement !== 'undefined' && 'setSinkId' in HTMLAudioElement.prototype;
}
