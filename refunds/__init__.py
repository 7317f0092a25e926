"""moneyback: keeps each refund in SQL, asks the gateway once, then once a day for three days, then tells."""
