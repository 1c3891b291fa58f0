import type { chat as en } from '../en/chat.ts';

export const chat: Record<keyof typeof en, string> = {
  'chat.people': '同事',
  'chat.nobody': '没有其他同事。',
  'chat.talk': '对话',
  'chat.none': '还没有消息。',
  'chat.choose': '请选择一位同事。',
  'chat.words': '消息',
  'chat.send': '发送',
};
