// The site's settings of the desk, as they were when a screen last looked.

import { desk, unset, type Settings, type Template } from './desk.ts';

class DeskSettings {
  now = $state.raw<Settings>(unset);
  /** The templates at hand that there are. */
  templates = $state.raw<readonly Template[]>([]);
  /** The box has been asked and answered. */
  known = $state(false);

  async load(): Promise<void> {
    const told = await desk.settings().catch(() => null);
    if (!told) return;
    this.now = { ...unset, ...told };
    this.known = true;
    const found = await Promise.all(this.now.texts.map((id) => desk.template(id).catch(() => null)));
    this.templates = found.filter((one): one is Template => typeof one?.text === 'string');
  }
}

export const settings = new DeskSettings();
