// Notices of the desktop. The browser is asked for them only when the agent
// presses for it.

class Notices {
  /** What the browser says; none: it has no notices, or not for this page. */
  state = $state<NotificationPermission | 'none'>('Notification' in globalThis && isSecureContext ? Notification.permission : 'none');

  async ask(): Promise<void> {
    this.state = await Notification.requestPermission();
  }

  /** Shows a notice unless the agent looks at the page anyway; the answer takes it away. */
  show(title: string, body: string): () => void {
    if (this.state !== 'granted' || document.hasFocus()) return () => undefined;
    try {
      const notice = new Notification(title, { body, tag: 'callbox', requireInteraction: true });
      notice.onclick = () => {
        window.focus();
        notice.close();
      };
      return () => notice.close();
    } catch {
      return () => undefined; // a telephone's browser: notices only from a worker
    }
  }
}

export const notices = new Notices();
