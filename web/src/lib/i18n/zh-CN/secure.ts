import type { secure as en } from '../en/secure.ts';

export const secure: Record<keyof typeof en, string> = {
  'obstacle.insecure': '无法使用麦克风：当前网址不是安全连接（https），浏览器不允许使用。',
  'obstacle.unsupported': '无法使用麦克风：此浏览器不支持网页电话，请使用新版 Chrome、Edge 或 Firefox。',
  'obstacle.denied': '无法使用麦克风：浏览器未授权。请点击地址栏左侧的图标，允许使用麦克风。',
  'obstacle.none': '没有找到麦克风，请插入耳麦。',
  'obstacle.taken': '麦克风正被其他程序占用，请关闭后重试。',
  'obstacle.unplugged': '耳麦已拔出，请重新插入或选择其他设备。',
  'obstacle.unknown': '浏览器未能打开麦克风。',
  'obstacle.refused': 'callbox 未接受网页电话，正在重试…',
  'obstacle.unbuilt': '此 callbox 不支持网页电话。',
  'secure.goThere': '改用 https 打开本页',
  'secure.certificate': '首次使用请先安装证书',
  'secure.ask': '请向管理员索取 https 网址。',
};
