export const chat = {
  'chat.people': 'Colleagues',
  'chat.nobody': 'Nobody else is here.',
  'chat.talk': 'Conversation',
  'chat.none': 'Nothing was written yet.',
  'chat.choose': 'Choose a colleague.',
  'chat.words': 'Message',
  'chat.send': 'Send',
} as const;
