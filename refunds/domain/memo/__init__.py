"""Credit memo totals as a Magento shop computes them, to predict a memo before the shop is asked for it.

The rules come from the collectors of Magento 1 (OpenMage LTS) and Magento 2 (Open Source), as facts; none of
their code is here. The shops reckon in PHP floats, and a handful of their results differ by a cent from exact
decimals. Reproducing those is the job of this package, so it reckons in the same IEEE doubles, in the same
order of operations. Nothing of ours is ever paid from such a number: a refund's amount stays integer minor
units.
"""
