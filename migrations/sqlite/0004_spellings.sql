-- Who opted out under one spelling of a number has opted out under the other: a row for each.

ALTER TABLE opt_outs ADD COLUMN given TEXT; -- the spelling that was given, in the row of the other one

-- As `core::phone::Phone::other_spelling` has it. Of somebody who is on the list twice the later row
-- becomes the other spelling of the earlier one.
WITH lines AS (
    SELECT tenant_id, mode, phone, source, created_at, CASE
        WHEN phone LIKE '55___________' AND substr(phone, 5, 1) = '9' AND substr(phone, 6, 1) BETWEEN '6' AND '9'
            AND substr(phone, 3, 1) <> '0' AND substr(phone, 4, 1) <> '0'
            THEN substr(phone, 1, 4) || substr(phone, 6)
        WHEN phone LIKE '55__________' AND substr(phone, 5, 1) BETWEEN '6' AND '9'
            AND substr(phone, 3, 1) <> '0' AND substr(phone, 4, 1) <> '0'
            THEN substr(phone, 1, 4) || '9' || substr(phone, 5)
        WHEN phone LIKE '521__________' AND substr(phone, 4, 1) BETWEEN '2' AND '9' THEN '52' || substr(phone, 4)
        WHEN phone LIKE '52__________' AND substr(phone, 3, 1) BETWEEN '2' AND '9' THEN '521' || substr(phone, 3)
        WHEN phone LIKE '549__________' AND substr(phone, 4, 1) BETWEEN '1' AND '3' THEN '54' || substr(phone, 4)
        WHEN phone LIKE '54__________' AND substr(phone, 3, 1) BETWEEN '1' AND '3' THEN '549' || substr(phone, 3)
    END AS other
    FROM opt_outs
)
INSERT INTO opt_outs (tenant_id, mode, phone, given, source, created_at)
SELECT tenant_id, mode, other, phone, source, created_at FROM lines WHERE other IS NOT NULL
ON CONFLICT (tenant_id, mode, phone) DO UPDATE SET given = excluded.given
    WHERE excluded.created_at < opt_outs.created_at
        OR (excluded.created_at = opt_outs.created_at AND excluded.given < opt_outs.phone);
