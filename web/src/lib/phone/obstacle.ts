// Why there is no microphone: known from the page, or from the browser's
// refusal, before or after asking.

export type Obstacle = 'insecure' | 'unsupported' | 'denied' | 'none' | 'taken' | 'unplugged' | 'unknown';

interface Surroundings {
  isSecureContext: boolean;
  navigator: { mediaDevices?: { getUserMedia?: unknown } };
  RTCPeerConnection?: unknown;
}

/** What keeps this page from a microphone whatever the agent says; '' for nothing. */
export function obstacleOf(page: Surroundings): Obstacle | '' {
  if (!page.isSecureContext) return 'insecure';
  return page.navigator.mediaDevices?.getUserMedia && page.RTCPeerConnection ? '' : 'unsupported';
}

const refusals: Record<string, Obstacle> = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'none',
  NotReadableError: 'taken',
  AbortError: 'taken',
  OverconstrainedError: 'unplugged',
};

/** Why the browser gave no microphone. */
export function refusalOf(why: unknown): Obstacle {
  const name = typeof why === 'object' && why !== null && 'name' in why ? String(why.name) : '';
  return (Object.hasOwn(refusals, name) && refusals[name]) || 'unknown';
}
