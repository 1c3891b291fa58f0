-- The database door's tables in Oracle 12.2 or newer, with a trigger that texts
-- an engineer for each new work order.
-- NOT RUN: callbox is tested with MariaDB and PostgreSQL; this file and the
-- driver behind it were not tried on an Oracle database.
-- The door writes names in upper case, as Oracle keeps those that are not
-- quoted.

CREATE TABLE work_orders (
  ticket_no      VARCHAR2(64 CHAR) NOT NULL PRIMARY KEY,
  engineer       VARCHAR2(32 CHAR) NOT NULL,
  engineer_phone VARCHAR2(32 CHAR) NOT NULL,
  customer       VARCHAR2(128 CHAR) NOT NULL,
  address        VARCHAR2(128 CHAR) NOT NULL,
  fault          VARCHAR2(255 CHAR) NOT NULL
);

CREATE TABLE sms_outbox (
  id           NUMBER(19) GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  ticket_no    VARCHAR2(64 CHAR),
  phone        VARCHAR2(32 CHAR) NOT NULL,
  body         VARCHAR2(1000 CHAR), -- or, for answers with a word:
  template     VARCHAR2(64 CHAR),   -- of site.yaml
  vars         VARCHAR2(4000),      -- JSON object for it
  status       VARCHAR2(16 CHAR),   -- NULL: new; from there on callbox writes it
  error        VARCHAR2(255 CHAR),
  updated_at   TIMESTAMP WITH TIME ZONE,
  sent_at      TIMESTAMP WITH TIME ZONE,
  delivered_at TIMESTAMP WITH TIME ZONE,
  message_id   VARCHAR2(36 CHAR),
  parts        NUMBER(5)
);
CREATE INDEX sms_outbox_status ON sms_outbox (status, id);

CREATE TABLE sms_inbox (
  id          NUMBER(19) GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  callbox_id  VARCHAR2(36 CHAR) NOT NULL UNIQUE,
  phone       VARCHAR2(32 CHAR) NOT NULL,
  body        VARCHAR2(1000 CHAR) NOT NULL,
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  ticket_no   VARCHAR2(64 CHAR),
  keyword     VARCHAR2(32 CHAR)
);

CREATE OR REPLACE TRIGGER work_orders_sms AFTER INSERT ON work_orders FOR EACH ROW
BEGIN
  INSERT INTO sms_outbox (ticket_no, phone, template, vars)
  VALUES (:NEW.ticket_no, :NEW.engineer_phone, 'work_order',
          JSON_OBJECT(KEY 'engineer' VALUE :NEW.engineer, KEY 'customer' VALUE :NEW.customer,
                      KEY 'address' VALUE :NEW.address, KEY 'fault' VALUE :NEW.fault));
END;
/
