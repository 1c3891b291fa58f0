-- The database door's tables in MySQL or MariaDB, with a trigger that texts an
-- engineer for each new work order. Run by callbox's own tests with MariaDB.
-- work_orders stands for the ticket system's own table: leave it out and put
-- the trigger on yours.

CREATE TABLE work_orders (
  ticket_no      VARCHAR(64) NOT NULL PRIMARY KEY,
  engineer       VARCHAR(32) NOT NULL,
  engineer_phone VARCHAR(32) NOT NULL,
  customer       VARCHAR(128) NOT NULL,
  address        VARCHAR(128) NOT NULL,
  fault          VARCHAR(255) NOT NULL
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE sms_outbox (
  id           BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  ticket_no    VARCHAR(64) NULL,
  phone        VARCHAR(32) NOT NULL,
  body         VARCHAR(2000) NULL,     -- or, for answers with a word:
  template     VARCHAR(64) NULL,       -- of site.yaml
  vars         TEXT NULL,              -- JSON object for it
  status       VARCHAR(16) NULL,       -- NULL: new; from there on callbox writes it
  error        VARCHAR(255) NULL,
  updated_at   DATETIME(3) NULL,
  sent_at      DATETIME(3) NULL,       -- the carrier took it
  delivered_at DATETIME(3) NULL,       -- it is on the phone
  message_id   CHAR(36) NULL,          -- callbox's id of the text
  parts        INT NULL,               -- how many it is paid as
  KEY sms_outbox_status (status, id)
) DEFAULT CHARSET = utf8mb4;

CREATE TABLE sms_inbox (
  id          BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  callbox_id  CHAR(36) NOT NULL UNIQUE, -- no text comes twice
  phone       VARCHAR(32) NOT NULL,
  body        TEXT NOT NULL,
  received_at DATETIME(3) NOT NULL,
  ticket_no   VARCHAR(64) NULL,         -- of the text that it answers
  keyword     VARCHAR(32) NULL          -- 接单, 到达, 完成: from the template's replies
) DEFAULT CHARSET = utf8mb4;

CREATE TRIGGER work_orders_sms AFTER INSERT ON work_orders FOR EACH ROW
  INSERT INTO sms_outbox (ticket_no, phone, template, vars)
  VALUES (NEW.ticket_no, NEW.engineer_phone, 'work_order',
          JSON_OBJECT('engineer', NEW.engineer, 'customer', NEW.customer, 'address', NEW.address, 'fault', NEW.fault));
