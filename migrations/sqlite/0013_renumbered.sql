-- Lines that have had several numbers since their country was renumbered, as `core::phone` has it: who opted out
-- under one spelling has opted out under the others. 0004 did so for Brazil, Mexico and Argentina.

WITH
    digit (d) AS (VALUES ('0'), ('1'), ('2'), ('3'), ('4'), ('5'), ('6'), ('7'), ('8'), ('9')),
    -- What a number began with, what it begins with now, and how many digits follow.
    renumbered (was, became, rest) AS (
        SELECT '229' || d, '22901' || d, 7 FROM digit WHERE d >= '2'
        UNION ALL SELECT '237' || d, '2376' || d, 7 FROM digit WHERE d IN ('5', '6', '7', '9')
        UNION ALL SELECT '225' || a.d || b.d,
            '225' || CASE WHEN b.d <= '3' THEN '01' WHEN b.d <= '6' THEN '05' ELSE '07' END || a.d || b.d, 6
            FROM digit a CROSS JOIN digit b WHERE a.d = '0' OR a.d >= '4'
        UNION ALL SELECT '57' || a.d || b.d, '5760' || a.d || b.d, 6
            FROM digit a CROSS JOIN digit b WHERE a.d IN ('1', '2', '4', '5', '6', '7', '8') AND b.d >= '2'
        UNION ALL SELECT '241' || column1, '2410' || column1, 6
            FROM (VALUES ('1'), ('2'), ('5'), ('6'), ('4'), ('7')) AS gabon
        UNION ALL SELECT '241' || column1, '241' || column2 || column1, 6
            FROM (VALUES ('1', '1'), ('2', '6'), ('5', '6'), ('6', '6'), ('4', '7'), ('7', '7')) AS gabon
        UNION ALL SELECT '2410' || column1, '241' || column2 || column1, 6
            FROM (VALUES ('1', '1'), ('2', '6'), ('5', '6'), ('6', '6'), ('4', '7'), ('7', '7')) AS gabon
        UNION ALL SELECT '84' || column1, '84' || column2, 7 FROM (VALUES
            ('120', '70'), ('121', '79'), ('122', '77'), ('126', '76'), ('128', '78'), ('123', '83'),
            ('124', '84'), ('125', '85'), ('127', '81'), ('129', '82'), ('162', '32'), ('163', '33'),
            ('164', '34'), ('165', '35'), ('166', '36'), ('167', '37'), ('168', '38'), ('169', '39'),
            ('186', '56'), ('188', '58'), ('199', '59')) AS vietnam
    ),
    both_ways (begins, other, rest) AS (
        SELECT was, became, rest FROM renumbered UNION ALL SELECT became, was, rest FROM renumbered
    ),
    -- Of somebody who is on the list twice the earlier row is the one that was given.
    spelled AS (
        SELECT o.tenant_id, o.mode, o.phone, o.source, o.created_at,
            w.other || substr(o.phone, length(w.begins) + 1) AS other,
            ROW_NUMBER() OVER (
                PARTITION BY o.tenant_id, o.mode, w.other || substr(o.phone, length(w.begins) + 1)
                ORDER BY o.created_at, o.phone
            ) AS place
        FROM opt_outs o JOIN both_ways w
            ON substr(o.phone, 1, length(w.begins)) = w.begins AND length(o.phone) = length(w.begins) + w.rest
        WHERE o.given IS NULL
            AND (o.phone LIKE '229%' OR o.phone LIKE '237%' OR o.phone LIKE '225%' OR o.phone LIKE '57%'
                OR o.phone LIKE '241%' OR o.phone LIKE '84%')
    )
INSERT INTO opt_outs (tenant_id, mode, phone, given, source, created_at)
SELECT tenant_id, mode, other, phone, source, created_at FROM spelled WHERE place = 1
ON CONFLICT (tenant_id, mode, phone) DO UPDATE SET given = excluded.given
    WHERE opt_outs.given IS NULL
        AND (excluded.created_at < opt_outs.created_at
            OR (excluded.created_at = opt_outs.created_at AND excluded.given < opt_outs.phone));
