// One WebRTC connection to the box: the page always offers.

/** What became of the way of the sound. */
export type Way = 'joined' | 'lost';

// What the box speaks, the dearer law first; the browser's order decides where both would do.
const wanted = ['audio/pcma', 'audio/pcmu', 'audio/telephone-event'];

function codecs(): RTCRtpCodec[] {
  const known = RTCRtpReceiver.getCapabilities('audio')?.codecs ?? [];
  return wanted.flatMap((type) => known.filter((one) => one.mimeType.toLowerCase() === type));
}

export class Link {
  readonly #peer = new RTCPeerConnection({ iceServers: [] });
  readonly #sender: RTCRtpSender;
  readonly sound: MediaStream;

  constructor(mic: MediaStreamTrack, stream: MediaStream, tell: (way: Way) => void) {
    const both = this.#peer.addTransceiver(mic, { direction: 'sendrecv', streams: [stream] });
    const list = codecs();
    if (list.length > 0) both.setCodecPreferences(list);
    this.#sender = both.sender;
    this.sound = new MediaStream([both.receiver.track]);
    this.#peer.onconnectionstatechange = () => {
      const state = this.#peer.connectionState;
      if (state === 'connected') tell('joined');
      else if (state === 'disconnected' || state === 'failed') tell('lost');
    };
  }

  /** Offers, and takes the box's answer. The box knows its addresses at once, and needs none of ours. */
  async open(send: (sdp: string) => Promise<string>): Promise<void> {
    await this.#peer.setLocalDescription(await this.#peer.createOffer());
    const answer = await send(this.#peer.localDescription?.sdp ?? '');
    await this.#peer.setRemoteDescription({ type: 'answer', sdp: answer });
  }

  /** Speaks through another microphone from now on. */
  async speakBy(mic: MediaStreamTrack): Promise<void> {
    await this.#sender.replaceTrack(mic);
  }

  async rows(): Promise<Record<string, unknown>[]> {
    const rows: Record<string, unknown>[] = [];
    (await this.#peer.getStats()).forEach((row: Record<string, unknown>) => rows.push(row));
    return rows;
  }

  close(): void {
    this.#peer.onconnectionstatechange = null;
    this.#peer.close();
  }
}
