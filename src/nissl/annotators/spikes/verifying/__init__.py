"""Verifying a sorting on the user's own probe: known units added to the recording itself.

`verify` runs it all. Units (`library`, `own`) are given places, sizes and trains (`placing`,
`firing`), added lazily to the raw signal (`injecting`), sorted again (`sortings`) and compared
(`outcome`, `judged`); `agreement` tells how halves of the time and two sorters agree.
"""
